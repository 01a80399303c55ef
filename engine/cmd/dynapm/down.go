package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dynapm/engine/admin"
)

// leaveTimeout is how long an engine may take to end when its services are down.
const leaveTimeout = 10 * time.Second

func runDown(args []string) error {
	r := newRemote("down")
	if err := r.connect(args, 0, 0); err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	err := r.client.Down(ctx)
	if failed := (*admin.Failure)(nil); errors.As(err, &failed) {
		return also(err, "the engine leaves all the same")
	} else if err != nil {
		return r.explain(err)
	}
	return awaitLeft(ctx, r.client)
}

// awaitLeft says that the engine has left when it has: whoever reads it may start another one on the same ports.
func awaitLeft(ctx context.Context, client admin.Client) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if client.Left(ctx) != nil {
		return errors.New("all services are stopped; the engine is still leaving")
	}
	fmt.Println("all services are stopped, the engine has left")
	return nil
}
