package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// Open opens the store in a file, and makes it where there is none. A damaged
// file is set aside, of which notice is told.
func Open(ctx context.Context, path string, notice func(message string)) (*Store, error) {
	s, err := open(ctx, path, migrations, notice)
	if err != nil {
		return nil, fmt.Errorf("opening store %q: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, steps []string, notice func(message string)) (*Store, error) {
	path, err := prepare(path)
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(path)
	if err != nil {
		return nil, err
	}
	s, err := connect(ctx, path, steps)
	if errors.Is(err, errDamaged) {
		var aside string
		if aside, err = setAside(path, time.Now()); err == nil {
			notice(wasDamaged(path, aside))
			s, err = connect(ctx, path, steps)
		}
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	s.lock, s.notice = lock, notice
	return s, nil
}

// wasDamaged tells of a file that was set aside.
func wasDamaged(path, aside string) string {
	return fmt.Sprintf("the store %s was damaged: it is kept as %s, and a new one is begun", path, aside)
}

// prepare makes the directory, and resolves symbolic links as SQLite does, so
// that the lock is the same whichever way the path is written.
func prepare(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", withAdvice(err)
	}
	switch real, err := filepath.EvalSymlinks(path); {
	case err == nil:
		path = real
	case !errors.Is(err, fs.ErrNotExist):
		return "", withAdvice(err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", withAdvice(err)
	case info.IsDir():
		return "", errors.New("a directory is in its place: remove it, or give the store another path")
	case !info.Mode().IsRegular():
		return "", errors.New("what is in its place is no file: remove it, or give the store another path")
	}
	return path, nil
}

// connect opens the file itself. The lock is held.
func connect(ctx context.Context, path string, steps []string) (s *Store, err error) {
	// SQLite gives its other files the permissions of this one.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the admin's
	if err != nil {
		return nil, withAdvice(err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if err := checkHeader(path); err != nil {
		return nil, err
	}
	if err := inspect(ctx, path, len(steps)); err != nil && !leftUndone(err) {
		return nil, explain(err)
	}
	s = &Store{path: path, largeWAL: largeWAL, maxWAL: maxWAL}
	if err := s.connect(ctx, steps); err != nil {
		_ = s.disconnect()
		return nil, explain(err)
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context, steps []string) (err error) {
	if s.writer, err = openWriter(ctx, s.path, steps); err != nil {
		return err
	}
	if s.reader, err = openReader(ctx, s.path); err != nil {
		return err
	}
	s.files, err = statFiles(s.path)
	return err
}

// inspect looks at the file without changing it, and refuses what is not to be
// changed by this version.
func inspect(ctx context.Context, path string, known int) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return err
	}
	db, err := sql.Open("sqlite", source(path, "mode=ro", "_pragma=busy_timeout(1000)", "_error_rc=1"))
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var tables int
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	id, err := intPragma(ctx, conn, "application_id")
	if err != nil {
		return err
	}
	version, err := intPragma(ctx, conn, "user_version")
	switch {
	case err != nil:
		return err
	case id != applicationID && (tables > 0 || id != 0):
		return errors.New("the file belongs to another program: give the store another path")
	}
	return mayRead(version, known)
}

// mayRead refuses the version of a file that this program cannot bring to
// its own.
func mayRead(version, known int) error {
	switch {
	case version < 0:
		return fmt.Errorf("its version is %d: %w", version, errDamaged)
	case version > known:
		return fmt.Errorf("the file is of version %d, and this program knows version %d: "+
			"use a newer version of the program, or give this one another path", version, known)
	}
	return nil
}

// source is what the driver opens: a file and options.
func source(path string, options ...string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/...
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: strings.Join(options, "&")}
	return u.String()
}

// Interface guard.
var _ pool.Store = (*Store)(nil)
