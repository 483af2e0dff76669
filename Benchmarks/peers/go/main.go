// The items service as net/http and a pgx pool do it. pgx prepares and caches its statements by itself.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	columns     = "id, name, description, created_at, updated_at"
	limit       = 100
	limitMax    = 1000
	bodyMax     = 1 << 20
	connections = 10
)

type item struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Description *string   `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func read(row pgx.Row) (item, error) {
	var i item
	err := row.Scan(&i.ID, &i.Name, &i.Description, &i.CreatedAt, &i.UpdatedAt)
	i.CreatedAt, i.UpdatedAt = i.CreatedAt.UTC(), i.UpdatedAt.UTC()
	return i, err
}

type service struct{ pool *pgxpool.Pool }

func answer(w http.ResponseWriter, status int, value interface{}) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

func refuse(w http.ResponseWriter, status int, detail string) {
	answer(w, status, map[string]interface{}{"status": status, "detail": detail})
}

func fail(w http.ResponseWriter, err error) {
	log.Print(err)
	refuse(w, http.StatusInternalServerError, "database error")
}

func (s *service) root(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		refuse(w, http.StatusNotFound, "no such path")
		return
	}
	answer(w, http.StatusOK, struct {
		Service string `json:"service"`
		Version string `json:"version"`
	}{"items", "1.0.0"})
}

func (s *service) health(w http.ResponseWriter, r *http.Request) {
	var one int
	if err := s.pool.QueryRow(r.Context(), "SELECT 1").Scan(&one); err != nil {
		answer(w, http.StatusServiceUnavailable, map[string]string{"status": "unhealthy"})
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "healthy"})
}

func (s *service) items(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		s.page(w, r)
	case http.MethodPost:
		s.create(w, r)
	default:
		refuse(w, http.StatusMethodNotAllowed, "no such method")
	}
}

func (s *service) page(w http.ResponseWriter, r *http.Request) {
	count := limit
	if given := r.URL.Query().Get("limit"); given != "" {
		var err error
		if count, err = strconv.Atoi(given); err != nil || count < 1 || count > limitMax {
			refuse(w, http.StatusBadRequest, "limit is out of range")
			return
		}
	}
	rows, err := s.pool.Query(r.Context(), "SELECT "+columns+" FROM items ORDER BY id LIMIT $1", count)
	if err != nil {
		fail(w, err)
		return
	}
	defer rows.Close()
	found := make([]item, 0, count)
	for rows.Next() {
		i, err := read(rows)
		if err != nil {
			fail(w, err)
			return
		}
		found = append(found, i)
	}
	if rows.Err() != nil {
		fail(w, rows.Err())
		return
	}
	answer(w, http.StatusOK, struct {
		Items []item `json:"items"`
	}{found})
}

func (s *service) find(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(strings.TrimPrefix(r.URL.Path, "/api/items/"), 10, 64)
	if err != nil {
		refuse(w, http.StatusNotFound, "no such item")
		return
	}
	found, err := read(s.pool.QueryRow(r.Context(), "SELECT "+columns+" FROM items WHERE id = $1", id))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		refuse(w, http.StatusNotFound, "no such item")
	case err != nil:
		fail(w, err)
	default:
		answer(w, http.StatusOK, found)
	}
}

func (s *service) create(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyMax)).Decode(&body)
	if err != nil || body.Name == "" {
		refuse(w, http.StatusUnprocessableEntity, "name is required")
		return
	}
	statement := "INSERT INTO items (name, description) VALUES ($1, $2) RETURNING " + columns
	created, err := read(s.pool.QueryRow(r.Context(), statement, body.Name, body.Description))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusCreated, created)
}

// What net/http does not tell afterwards.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func logged(next http.Handler) http.Handler {
	lines := log.New(os.Stdout, "", 0)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		recorded := recorder{w, http.StatusOK}
		next.ServeHTTP(&recorded, r)
		line, _ := json.Marshal(struct {
			Timestamp    string  `json:"timestamp"`
			Level        string  `json:"level"`
			Method       string  `json:"method"`
			Path         string  `json:"path"`
			Status       int     `json:"status"`
			ResponseTime float64 `json:"response_time_ms"`
		}{
			began.UTC().Format(time.RFC3339Nano), "INFO", r.Method, r.URL.Path, recorded.status,
			float64(time.Since(began).Microseconds()) / 1000,
		})
		lines.Print(string(line))
	})
}

func serve(handler http.Handler) error {
	server := &http.Server{
		Addr:              "127.0.0.1:" + os.Getenv("PORT"),
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       75 * time.Second,
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		server.Close()
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func main() {
	// The rest of the address is where pgx looks by itself once these have libpq's names.
	for given, name := range map[string]string{
		"DB_HOST": "PGHOST", "DB_PORT": "PGPORT", "DB_NAME": "PGDATABASE", "DB_USER": "PGUSER", "DB_PASSWORD": "PGPASSWORD",
	} {
		if value := os.Getenv(given); value != "" {
			os.Setenv(name, value)
		}
	}
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		log.Fatal(err)
	}
	config.MinConns, config.MaxConns = 2, connections
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	s := &service{pool}
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.root)
	mux.HandleFunc("/health", s.health)
	mux.HandleFunc("/api/items", s.items)
	mux.HandleFunc("/api/items/", s.find)
	var handler http.Handler = mux
	if os.Getenv("ACCESS_LOG") != "0" {
		handler = logged(mux)
	}
	if err := serve(handler); err != nil {
		log.Fatal(err)
	}
}
