// Package certificate keeps a TLS certificate that is read from files, and read again when they change.
package certificate

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// checkEvery is how often handshakes look whether the files have changed.
const checkEvery = time.Second

// Files is a certificate and its key in PEM files. Its methods may be called
// from many goroutines.
type Files struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	version version   // of the files that were tried last
	checked time.Time // when that was
}

// version tells files from what they were.
type version [2]struct {
	modified time.Time
	size     int64
}

// Load reads the files. Its error names the file at fault.
func Load(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log}
	v, err := f.look()
	if err != nil {
		return nil, err
	}
	f.version, f.checked = v, time.Now()
	if f.current, err = f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Config gives a configuration that serves what the files hold at each
// handshake; TLS 1.2 or newer.
func (f *Files) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.get(), nil },
	}
}

// get gives the certificate. Files that can't be used leave the old one in its
// place: a rotation may be half done.
func (f *Files) get() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.checked) < checkEvery {
		return f.current
	}
	f.checked = time.Now()
	v, err := f.look()
	if err == nil && v == f.version {
		return f.current
	}
	var read *tls.Certificate
	if err == nil {
		read, err = f.read()
	}
	if err != nil {
		if v != f.version { // told once for each state of the files
			f.log.Error("the changed TLS certificate can't be used: the old one stays", "err", err)
		}
		f.version = v
		return f.current
	}
	f.version, f.current = v, read
	f.log.Info("read the changed TLS certificate", "expires", read.Leaf.NotAfter)
	return f.current
}

func (f *Files) look() (v version, err error) {
	for i, path := range []string{f.cert, f.key} {
		info, err := os.Stat(path)
		if err != nil {
			return version{}, fmt.Errorf("TLS certificate: %w", err)
		}
		v[i].modified, v[i].size = info.ModTime(), info.Size()
	}
	return v, nil
}

func (f *Files) read() (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with key %s: %w", f.cert, f.key, err)
	}
	return &c, nil
}
