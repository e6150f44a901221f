package main

// What deploy/ gives people to copy: the settings in it are settings, and the
// paths and users fit the image.

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// compose is the part of a compose file that faasd reads.
type compose struct {
	Services map[string]struct {
		Image       string
		User        string
		Environment []string
		Volumes     []struct{ Type, Source, Target string }
		Depends     []string `yaml:"depends_on"`
		Ports       []string
	}
}

func TestTheFragmentsForFaasd(t *testing.T) {
	t.Parallel()
	c := unpack(t)
	for _, file := range []string{"queue-worker.yaml", "embedded-nats-streaming.yaml"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var f compose
			in, err := os.Open("../../deploy/faasd/" + file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close() }()
			decoder := yaml.NewDecoder(in)
			decoder.KnownFields(true)
			if err := decoder.Decode(&f); err != nil {
				t.Fatal(err)
			}
			s, is := f.Services["queue-worker"]
			switch {
			case !is:
				t.Fatalf("services are %+v: is = false, want true", f.Services)
			case len(f.Services) != 1:
				t.Fatalf("services are %+v, want len 1", f.Services)
			case s.User != "65532":
				t.Fatalf("services are %+v: s.User = %q, want \"65532\"", f.Services, s.User)
			}
			checkSettings(t, c, s.Environment)
			inVolume, secrets := false, 0
			for _, v := range s.Volumes {
				inVolume = inVolume || slices.Contains(s.Environment, "data_dir="+v.Target+"/data")
				if strings.HasPrefix(v.Target, "/run/secrets/basic-auth-") {
					secrets++
				}
			}
			switch {
			case !inVolume:
				t.Errorf("data_dir is in a volume: %t, %d secrets, volumes %v: inVolume = false, want true", inVolume, secrets, s.Volumes)
			case secrets != 2:
				t.Errorf("data_dir is in a volume: %d secrets, want 2", secrets)
			case !slices.Contains(s.Environment, "secret_mount_path=/run/secrets"):
				t.Errorf("data_dir is in a volume: %t, %d secrets, volumes %v: slices.Contains(s.Environment, \"secret_mount_path=/run/secrets\") = false, want true", inVolume, secrets, s.Volumes)
			}
			embedded := slices.Contains(s.Environment, "stan_embedded=true")
			if embedded == slices.Contains(s.Depends, "nats") {
				t.Errorf("with an embedded server %t, it depends on %v, want not %v", embedded, s.Depends, slices.Contains(s.Depends, "nats"))
			}
		})
	}
}

func TestTheServiceOfOneMachine(t *testing.T) {
	t.Parallel()
	unit := lines(t, "../../deploy/faasd/queue-worker.service")
	environ := lines(t, "../../deploy/faasd/queue-worker.env")
	for _, want := range []string{"ExecStart=/usr/local/bin/queue-worker", "EnvironmentFile=/etc/queue-worker/queue-worker.env", "StateDirectory=queue-worker", "DynamicUser=yes", "Restart=always"} {
		if !slices.Contains(unit, want) {
			t.Errorf("the unit has no line %s: slices.Contains(unit, want) = false, want true", want)
		}
	}
	for _, l := range unit {
		if e, is := strings.CutPrefix(l, "Environment="); is {
			environ = append(environ, e)
		}
	}
	checkSettings(t, unpack(t), environ)
}

// lines are those that say something.
func lines(t *testing.T, path string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") && !strings.HasPrefix(l, "[") {
			list = append(list, l)
		}
	}
	return list
}

func TestTheFolderForADockerfileIsTheImage(t *testing.T) {
	t.Parallel()
	files, err := optionsOf(t).files()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := files.layOut(dir); err != nil {
		t.Fatal(err)
	}
	if a, b := below(t, dir), below(t, unpack(t).root); !slices.Equal(a, b) {
		t.Errorf("the folder has %v, want %v as the image", a, b)
	}
	switch target, err := os.Readlink(dir + "/worker"); {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case target != binaryPath:
		t.Errorf("worker leads to %s, want %q", target, binaryPath)
	}
}
