# Gunicorn behind nginx, pre-forked: the workers share the imported application.
bind = "unix:{{.Socket}}"
workers = {{.Workers}}
# One thread per worker, like the other peers, is what sync workers are for;
# gthread with one thread costs 10 % more CPU.
worker_class = "sync"
backlog = {{.Backlog}}
pythonpath = "{{.AppsDir}}"
preload_app = True
# Heartbeat files in memory, as its documentation advises.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
errorlog = "-"
loglevel = "warning"
