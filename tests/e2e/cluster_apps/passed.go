// A server that is started with its socket (LISTEN_FDS): it finishes its requests on SIGTERM.
// GET / says who answers, GET /300 after 300 ms.
package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	about, _ := json.Marshal(map[string]any{
		"pid": os.Getpid(), "instance": os.Getenv("NODE_APP_INSTANCE"), "version": "1"})
	answer := func(w http.ResponseWriter, r *http.Request) {
		wait, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		time.Sleep(time.Duration(wait) * time.Millisecond)
		w.Write(about)
	}
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		println("LISTEN_PID is not mine")
		os.Exit(1)
	}
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	server := &http.Server{Handler: http.HandlerFunc(answer)}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		<-told
		server.Shutdown(context.Background())
		close(done)
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		println(err.Error())
		os.Exit(1)
	}
	<-done
}
