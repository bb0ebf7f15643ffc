#!/usr/bin/env bash
# Prepares the example sites: virtualenv, Django's database, static files and
# admin user, a secret key and a self-signed certificate for localhost. Everything
# lands in git-ignored places below examples/. It does nothing when all is up to
# date, so `make run` calls it every time.
#
# Environment: PYTHON                      interpreter of the virtualenv (default python3)
#              DJANGO_SUPERUSER_USERNAME   admin's name (default admin)
#              DJANGO_SUPERUSER_PASSWORD   admin's password (default hognose-demo)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

python=${PYTHON:-python3}
venv=$PWD/venv
stamp=.prepared
export DJANGO_SUPERUSER_USERNAME=${DJANGO_SUPERUSER_USERNAME:-admin}
export DJANGO_SUPERUSER_PASSWORD=${DJANGO_SUPERUSER_PASSWORD:-hognose-demo}
export DJANGO_SUPERUSER_EMAIL=${DJANGO_SUPERUSER_EMAIL:-admin@localhost}

# fingerprint is one line that changes when anything prepared here depends on changes.
fingerprint() {
  {
    "$python" -c 'import sys; print(sys.version, sys.base_prefix)'
    echo "$DJANGO_SUPERUSER_USERNAME $DJANGO_SUPERUSER_PASSWORD"
    find prepare.sh requirements.txt django -type f \( -name '*.py' -o -path '*/static/notes/*' -o -name prepare.sh -o -name requirements.txt \) \
      -not -path 'django/static/*' -print0 | LC_ALL=C sort -z | xargs -0 cat
  } | openssl sha256 -r | cut -d' ' -f1
}

up_to_date() {
  [[ -f $stamp && $(<"$stamp") = "$(fingerprint)" ]] &&
    [[ -f django/db.sqlite3 && -f django/secret.key && -d django/static/admin ]] &&
    "$venv/bin/python" -c '' 2>/dev/null && certificate_is_good
}

certificate_is_good() {
  [[ -f tls/localhost.key ]] && openssl x509 -checkend 604800 -noout -in tls/localhost.crt >/dev/null 2>&1
}

make_venv() {
  local wanted have
  wanted=$("$python" -c 'import sys; print(sys.version, sys.base_prefix)')
  have=$("$venv/bin/python" -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null || true)
  if [[ $have != "$wanted" ]]; then
    echo "examples: making the virtualenv"
    "$python" -m venv --clear "$venv"
  fi
  echo "examples: installing Django and Flask"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
}

make_secret_key() {
  [[ -s django/secret.key ]] || (umask 077 && openssl rand -base64 48 | tr -d '\n' >django/secret.key)
}

prepare_django() {
  echo "examples: preparing Django's database and static files"
  local manage=("$venv/bin/python" django/manage.py)
  "${manage[@]}" migrate --verbosity 0 --no-input
  "${manage[@]}" collectstatic --verbosity 0 --no-input --clear
  PYTHONPATH=django DJANGO_SETTINGS_MODULE=mysite.settings "$venv/bin/python" -c '
import os, django
django.setup()
from django.contrib.auth import get_user_model
user, _ = get_user_model().objects.get_or_create(username=os.environ["DJANGO_SUPERUSER_USERNAME"])
user.email = os.environ["DJANGO_SUPERUSER_EMAIL"]
user.is_staff = user.is_superuser = True
user.set_password(os.environ["DJANGO_SUPERUSER_PASSWORD"])
user.save()'
}

make_certificate() {
  ! certificate_is_good || return 0
  echo "examples: making a certificate for localhost"
  mkdir -p tls
  (umask 077 && openssl req -x509 -nodes -days 397 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 \
    -addext extendedKeyUsage=serverAuth -keyout tls/localhost.key -out tls/localhost.crt 2>/dev/null)
  chmod 644 tls/localhost.crt
}

../.ci/need python venv libpython openssl
if up_to_date; then
  exit 0
fi
rm -f "$stamp"
make_venv
make_secret_key
prepare_django
make_certificate
fingerprint >"$stamp"
echo "examples: ready. Django's admin: $DJANGO_SUPERUSER_USERNAME, password $DJANGO_SUPERUSER_PASSWORD"
