// A plain server, which knows nothing of clusters: it finishes its requests on SIGTERM.
// GET / says who answers, GET /300 after 300 ms.
package main

import (
	"context"
	"encoding/json"
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
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: http.HandlerFunc(answer)}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		<-told
		server.Shutdown(context.Background())
		close(done)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		println(err.Error())
		os.Exit(1)
	}
	<-done
}
