package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// throughGateway asks a gateway for a service that sleeps, and puts it to sleep again.
func (t *coldTimes) throughGateway(ctx context.Context, at int) (start coldStart, err error) {
	asleep, err := t.used()
	if err != nil {
		return start, err
	}
	began := time.Now()
	wrong := getOnce(t.address, coldHost(at))
	start.took = time.Since(began)
	if err := pause(ctx, coldSettle); err != nil {
		return start, err
	}
	awake, err := t.used()
	if err == nil {
		err = t.sleep(ctx, at)
	}
	if err == nil {
		err = untilFree(ctx, t.site.cold[at])
	}
	if err == nil {
		err = pause(ctx, coldSettle)
	}
	if err != nil {
		return start, errors.Join(wrong, err)
	}
	again, err := t.used()
	start.spent, start.ended = awake.since(asleep), again.since(awake)
	return start, errors.Join(wrong, err)
}

// sleep stops the service of a case, and returns when it is down: by order, or where a gateway takes none by hand.
func (t *coldTimes) sleep(ctx context.Context, at int) error {
	if t.kind == kindSablier {
		return t.site.stopContainer(ctx, at)
	}
	url := fmt.Sprintf("http://%s/_dynapm/api/services/%s/stop", t.admin, coldName(at))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s cannot stop %s: %s", t.contender.name, coldName(at), response.Status)
	}
	return nil
}
