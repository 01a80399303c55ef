package main

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// sablierSwitch is the environment variable that names Sablier's program.
const sablierSwitch = "SABLIER"

const sablierName = "sablier"

// sablierContender is Sablier with nginx before it, if a program was given and Docker answers, or else why it is left out.
func sablierContender() (c contender, missing string) {
	program := os.Getenv(sablierSwitch)
	if program == "" {
		return c, fmt.Sprintf("%s: no program was given (%s=PROGRAM, with Docker)", sablierName, sablierSwitch)
	}
	program, err := exec.LookPath(program)
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err == nil {
		_, err = dockerSays(context.Background(), nil, "version")
	}
	if err != nil {
		return c, fmt.Sprintf("%s: %v", sablierName, err)
	}
	return contender{name: sablierName, kind: kindSablier, needs: "nginx", starts: true, start: startSablier(program)}, ""
}

// startSablier: nginx asks Sablier's blocking strategy before it forwards a request, as Sablier's own integrations do.
func startSablier(program string) func(*site, string, netip.AddrPort, terms) (*process, error) {
	return func(s *site, dir string, listen netip.AddrPort, _ terms) (*process, error) {
		api, err := freeAddress()
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, []byte(s.sablierConf(listen, api)), 0o600); err != nil {
			return nil, err
		}
		helper, err := startProcess(sablierName, s.dir, api, syscall.SIGTERM, nil, program, "start",
			"--server.port", fmt.Sprint(api.Port()), "--sessions.default-duration", "6h", "--logging.level", "error",
			"--provider.auto-stop-on-startup=false", "--strategy.blocking.default-refresh-frequency", sablierRefresh)
		if err != nil {
			return nil, err
		}
		var p *process
		if err = helper.listening(); err == nil {
			p, err = startProcess(sablierName, dir, listen, syscall.SIGTERM, nil, "nginx", "-p", dir, "-e", "stderr", "-c", file)
		}
		if err != nil {
			helper.end()
			return nil, err
		}
		p.helper = helper
		return p, nil
	}
}

// sablierRefresh is how often it looks whether a container is there. Its default is 5 s, which is more than all else
// that is measured here.
const sablierRefresh = "10ms"

// sablierConf has the service of the containers, and the backend to be asked for as others are.
func (s *site) sablierConf(listen, api netip.AddrPort) string {
	var servers strings.Builder
	for at, c := range s.coldCases {
		if c.form == formContainer {
			fmt.Fprintf(&servers, sablierServer, listen, coldHost(at), api, s.container(at), s.cold[at])
		}
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // or the workers could not enter the directory
	}
	return user + fmt.Sprintf(`worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream sablier { server %s; keepalive 16; }
    server {
        listen %s;
        server_name bench.test;
        location / { proxy_pass http://%s; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Host $http_host;
            proxy_http_version 1.1; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; }
    }
%s}
`, api, listen, s.backend.address, servers.String())
}

// sablierServer is a service that Sablier starts: listen, host, api, container, address.
const sablierServer = `    server {
        listen %s;
        server_name %s;
        location = /sablier {
            internal;
            proxy_pass http://sablier/api/strategies/blocking?names=%[4]s&session_duration=6h&timeout=30s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
        location / {
            auth_request /sablier;
            proxy_pass http://%[5]s;
        }
    }
`

// container is the name of that of a case.
func (s *site) container(at int) string {
	return fmt.Sprintf("dynapm-bench-%d-%s", os.Getpid(), coldName(at))
}

func (s *site) image() string { return fmt.Sprintf("dynapm-bench-%d", os.Getpid()) }

// makeContainers makes an image of the service of the cold starts, and a container of it for each case that wants one.
func (s *site) makeContainers(ctx context.Context) error {
	for at, c := range s.coldCases {
		if c.form != formContainer {
			continue
		}
		image, err := imageOf(s.server)
		if err == nil {
			_, err = dockerSays(ctx, image, "import", "-", s.image())
		}
		if err == nil {
			s.removed = append(s.removed, []string{"rmi", s.image()})
			_, err = dockerSays(ctx, nil, "create", "--name", s.container(at), "--network", "host", "--label", "sablier.enable=true",
				s.image(), "/coldserver", s.cold[at].String())
		}
		if err != nil {
			return err
		}
		s.removed = append(s.removed, []string{"rm", "--force", s.container(at)})
	}
	return nil
}

// imageOf is the file system of an image: one program.
func imageOf(program string) ([]byte, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	err = archive.WriteHeader(&tar.Header{Name: "coldserver", Mode: 0o755, Size: int64(len(data))})
	if err == nil {
		_, err = archive.Write(data)
	}
	return out.Bytes(), errors.Join(err, archive.Close())
}

// stopContainer ends the container of a case, and returns when nobody listens there.
func (s *site) stopContainer(ctx context.Context, at int) error {
	argv := s.coldStop(at)
	_, err := dockerSays(ctx, nil, argv[1:]...)
	return errors.Join(err, untilFree(ctx, s.cold[at]))
}

func dockerSays(ctx context.Context, in []byte, args ...string) (string, error) {
	docker := exec.CommandContext(ctx, "docker", args...)
	docker.Stdin = bytes.NewReader(in)
	out, err := docker.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("docker %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return string(out), err
}

// sablierVersion is what the program says, or, of one that was built without being told, what Go knows of it.
func sablierVersion() string {
	program := os.Getenv(sablierSwitch)
	_, says, _ := strings.Cut(firstLine(program, "version"), "version=")
	if says, _, _ := strings.Cut(says, ","); says != "" {
		return says
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "unknown"
	}
	return info.Main.Version
}
