package real

import (
	"fmt"
	"strings"
	"testing"
)

// visits are the answers of an app that counts in a store: what it had counted before it slept is still there.
var visits = []string{"visit 1\n", "visit 2\n", "visit 3\n", "visit 4\n"}

func TestRedis(t *testing.T) {
	w := newWorld(t, "redis-server", "redis-cli", "python3")
	w.live(example{
		folder: "redis", service: "counter", needs: []string{"redis"}, says: visits,
		awake: func(e *engine) {
			e.is("redis", "ready")
			if got := e.output("redis-cli", "-p", e.portText("8050"), "get", "visits"); got != "4" {
				e.Errorf("redis has counted %s; want 4", got)
			}
		},
	})
}

// TestRedisIsReadyOnceItHasLoaded what it had saved: it listens long before.
func TestRedisIsReadyOnceItHasLoaded(t *testing.T) {
	w := newWorld(t, "redis-server", "redis-cli")
	w.edit("redis/dynapm.yaml", "redis-server ", "redis-server --key-load-delay 20000 --loading-process-events-interval-bytes 1024 ")
	e := w.start("redis")
	redis := func(args ...string) string {
		return e.output("redis-cli", append([]string{"-p", e.portText("8050")}, args...)...)
	}
	e.dynapm("start", "redis")
	set := []string{"mset"}
	for n := range 60 {
		set = append(set, fmt.Sprint("key", n), strings.Repeat("x", 1000))
	}
	redis(set...)
	e.dynapm("restart", "redis")
	if got := redis("dbsize"); got != "60" {
		e.Errorf("redis is ready and says %q; want 60", got)
	}
}

func TestPostgreSQL(t *testing.T) {
	w := newWorld(t, "psql", "pg_isready", "python3")
	w.root("PostgreSQL of another user")
	data := w.folderOf("postgres", "pg") + "/data"
	w.extraEnv = append(w.extraEnv, "PGDATA="+data)
	w.live(example{
		folder: "postgres", service: "visits", needs: []string{"postgres"}, says: visits,
		awake: func(e *engine) {
			e.is("postgres", "ready")
			if got := e.output("psql", "-h", data, "-U", "postgres", "-Atc", "select count(*) from visits"); got != "4" {
				e.Errorf("the table has %s rows, want 4", got)
			}
		},
	})
}
