package deploy

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"hognose/internal/config"
)

// instructions returns the arguments of each instruction of that name in the Dockerfile.
func instructions(t *testing.T, name string) []string {
	t.Helper()
	text := strings.ReplaceAll(mustRead(t, "Dockerfile"), "\\\n", "")
	var all []string
	for line := range strings.Lines(text) {
		if args, ok := strings.CutPrefix(line, name+" "); ok {
			all = append(all, strings.TrimSpace(args))
		}
	}
	if all == nil {
		t.Fatalf("Dockerfile has no %s", name)
	}
	return all
}

// imageUser is the user that the images run as.
func imageUser(t *testing.T) int {
	t.Helper()
	users := instructions(t, "USER")
	uid, err := strconv.Atoi(users[len(users)-1])
	if err != nil || uid == 0 {
		t.Fatalf("the last USER of the Dockerfile is %q; want a number that is not root's", users[len(users)-1])
	}
	return uid
}

// TestDockerfile: the Go version suffices, the user exists, and what is copied is there.
func TestDockerfile(t *testing.T) {
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(mustRead(t, "../go.mod"))[1]
	if from := instructions(t, "FROM")[0]; !strings.HasPrefix(from, "golang:"+wanted+"-") {
		t.Errorf("FROM %s; go.mod wants Go %s", from, wanted)
	}
	if uid := strconv.Itoa(imageUser(t)); !strings.Contains(mustRead(t, "Dockerfile"), "useradd --uid "+uid) {
		t.Errorf("the Dockerfile makes no user %s", uid)
	}
	for _, args := range instructions(t, "COPY") {
		words := strings.Fields(args)
		if strings.HasPrefix(words[0], "--from=") {
			continue
		}
		for _, source := range words[:len(words)-1] {
			if found, err := filepath.Glob(filepath.Join("..", source)); err != nil || len(found) == 0 {
				t.Errorf("COPY %s: there is no %s", args, source)
			}
			if !sent(t, source) {
				t.Errorf("COPY %s: Dockerfile.dockerignore leaves %s out", args, source)
			}
		}
	}
}

// sent reports whether Dockerfile.dockerignore lets a path into the build.
func sent(t *testing.T, name string) bool {
	name = path.Clean(name)
	if name == "." {
		return true
	}
	for line := range strings.Lines(mustRead(t, "Dockerfile.dockerignore")) {
		kept, ok := strings.CutPrefix(strings.TrimSpace(line), "!")
		if ok && (name == kept || strings.HasPrefix(name, kept+"/")) {
			return true
		}
	}
	return false
}

// TestDockerContext: the build gets every package that it needs.
func TestDockerContext(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "hognose/cmd/hognose").Output()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, pkg := range strings.Fields(string(out)) {
		dir, ours := strings.CutPrefix(pkg, "hognose/")
		if ours && !sent(t, dir) {
			t.Errorf("Dockerfile.dockerignore leaves %s out, which the binary needs", dir)
		}
		if ours {
			count++
		}
	}
	if count < 5 {
		t.Errorf("found only %d packages of ours", count)
	}
}

// serves checks a container's configuration: it runs as one user, who may listen on port, and answers the probes.
func serves(t *testing.T, what, text string, port int) *config.Config {
	t.Helper()
	cfg := mustParse(t, what, text)
	if cfg.User != "" || cfg.PID != "" {
		t.Errorf("%s: user = %q, pid = %q mean nothing in a container", what, cfg.User, cfg.PID)
	}
	want := "0.0.0.0:" + strconv.Itoa(port)
	for _, s := range cfg.Servers {
		for _, l := range s.Listen {
			if l.Addr() == want && l.DefaultServer {
				return cfg
			}
		}
	}
	t.Errorf("%s: nothing answers for every name on %s", what, want)
	return cfg
}

func TestContainerConfig(t *testing.T) {
	port, err := strconv.Atoi(instructions(t, "EXPOSE")[0])
	if err != nil {
		t.Fatal(err)
	}
	cfg := serves(t, "container.toml", mustRead(t, "container.toml"), port)
	image := mustRead(t, "Dockerfile")
	for name, app := range cfg.Apps {
		for _, dir := range []string{app.Chdir, app.Home} {
			if !strings.Contains(image, dir) {
				t.Errorf("container.toml: app %s uses %s, which the Dockerfile does not make", name, dir)
			}
		}
	}
}

// decode decodes the next document of YAML. It goes by way of JSON, whose decoder takes names as Go writes them.
func decode(t *testing.T, from *yaml.Decoder, to any) error {
	t.Helper()
	var tree any
	if err := from.Decode(&tree); err != nil {
		return err
	}
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return json.Unmarshal(data, to)
}

// compose is what the test looks at in compose.yaml.
type compose struct {
	Services map[string]struct {
		Build struct {
			Context, Dockerfile, Target string
		}
		Ports           []string
		StopGracePeriod string `json:"stop_grace_period"`
		ReadOnly        bool   `json:"read_only"`
		Tmpfs           []string
		Ulimits         struct{ Nofile int }
	}
}

func TestCompose(t *testing.T) {
	var c compose
	if err := decode(t, yaml.NewDecoder(strings.NewReader(mustRead(t, "compose.yaml"))), &c); err != nil {
		t.Fatal(err)
	}
	web := c.Services["web"]
	cfg := mustParse(t, "container.toml", mustRead(t, "container.toml"))
	if web.Build.Context != ".." || web.Build.Dockerfile != "deploy/Dockerfile" {
		t.Errorf("build is %+v", web.Build)
	}
	if !slices.ContainsFunc(instructions(t, "FROM"), func(s string) bool { return strings.HasSuffix(s, " AS "+web.Build.Target) }) {
		t.Errorf("the Dockerfile has no stage %q", web.Build.Target)
	}
	if port := instructions(t, "EXPOSE")[0]; len(web.Ports) != 1 || !strings.HasSuffix(web.Ports[0], ":"+port) {
		t.Errorf("ports are %q; want the image's %s", web.Ports, port)
	}
	wantGrace(t, web.StopGracePeriod, cfg)
	if web.ReadOnly && !slices.Contains(web.Tmpfs, "/tmp") {
		t.Error("read_only needs a place for spools")
	}
	if need := 2*cfg.WorkerConnections + 1024; web.Ulimits.Nofile < need {
		t.Errorf("nofile is %d; worker_connections = %d need %d", web.Ulimits.Nofile, cfg.WorkerConnections, need)
	}
}

// wantGrace checks that whoever stops hognose waits longer than hognose waits for requests.
func wantGrace(t *testing.T, grace string, cfg *config.Config) {
	t.Helper()
	d, err := time.ParseDuration(grace)
	if err != nil || d < cfg.WorkerShutdownTimeout.Std()+5*time.Second {
		t.Errorf("the time to stop is %q, %v; worker_shutdown_timeout = %q needs more", grace, err, cfg.WorkerShutdownTimeout)
	}
}

// object is what the test looks at in the objects of kubernetes.yaml.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		Ports    []struct{ TargetPort string } // of the service
		Template struct {
			Spec struct {
				TerminationGracePeriodSeconds int
				SecurityContext               struct{ RunAsUser int }
				Containers                    []struct {
					Ports []struct {
						Name          string
						ContainerPort int
					}
					VolumeMounts []struct{ Name, MountPath string }
					Lifecycle    struct {
						PreStop struct{ Exec struct{ Command []string } }
					}
				}
				Volumes []struct {
					Name      string
					ConfigMap struct{ Name string }
				}
			}
		}
	}
}

func readKubernetes(t *testing.T) map[string]object {
	t.Helper()
	all := map[string]object{}
	for docs := yaml.NewDecoder(strings.NewReader(mustRead(t, "kubernetes.yaml"))); ; {
		var o object
		if err := decode(t, docs, &o); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[o.Kind] = o
	}
}

func TestKubernetes(t *testing.T) {
	objects := readKubernetes(t)
	pod := objects["Deployment"].Spec.Template.Spec
	if len(pod.Containers) != 1 || len(pod.Containers[0].Ports) != 1 {
		t.Fatalf("the deployment is %+v", pod)
	}
	c := pod.Containers[0]
	cfg := serves(t, "kubernetes.yaml", objects["ConfigMap"].Data["hognose.toml"], c.Ports[0].ContainerPort)
	if uid := imageUser(t); pod.SecurityContext.RunAsUser != uid {
		t.Errorf("runAsUser is %d; the image has %d", pod.SecurityContext.RunAsUser, uid)
	}
	if ports := objects["Service"].Spec.Ports; len(ports) != 1 || ports[0].TargetPort != c.Ports[0].Name {
		t.Errorf("the service leads to %+v", ports)
	}
	wantPause(t, c.Lifecycle.PreStop.Exec.Command, pod.TerminationGracePeriodSeconds, cfg)
	mounts := map[string]string{}
	for _, m := range c.VolumeMounts {
		mounts[m.Name] = m.MountPath
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap.Name != "" && (v.ConfigMap.Name != objects["ConfigMap"].Metadata.Name || mounts[v.Name] != "/etc/hognose") {
			t.Errorf("volume %q is not the configuration", v.Name)
		}
	}
	if len(mounts) != len(pod.Volumes) {
		t.Errorf("%d volumes and %d mounts", len(pod.Volumes), len(mounts))
	}
}

// wantPause checks that the pause of preStop leaves time to stop.
func wantPause(t *testing.T, command []string, grace int, cfg *config.Config) {
	t.Helper()
	if len(command) != 2 || command[0] != "sleep" {
		t.Fatalf("preStop is %q", command)
	}
	pause, err := strconv.Atoi(command[1])
	if err != nil {
		t.Fatalf("preStop is %q", command)
	}
	wantGrace(t, strconv.Itoa(grace-pause)+"s", cfg)
}
