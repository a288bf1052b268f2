package certificate_test

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark/internal/certificate"
	"github.com/hark-events/hark/internal/testkit"
)

// serial gives the serial number that a handshake shows.
func serial(t *testing.T, c *tls.Config) string {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() { _ = tls.Server(server, c).Handshake() }()
	conn := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		write := func(cert, key []byte, at time.Duration) (string, string) {
			paths := [2]string{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
			for i, b := range [][]byte{cert, key} {
				if err := os.WriteFile(paths[i], b, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(paths[i], time.Now().Add(at), time.Now().Add(at)); err != nil {
					t.Fatal(err)
				}
			}
			return paths[0], paths[1]
		}
		cert1, key1 := testkit.Certificate(t, "127.0.0.1")
		cert2, key2 := testkit.Certificate(t, "127.0.0.1")
		var log strings.Builder
		cert, key := write(cert1, key1, 0)
		f, err := certificate.Load(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		first := serial(t, f.Config())
		write(cert2, key1, time.Second) // half of the change
		time.Sleep(2 * time.Second)
		if got := serial(t, f.Config()); got != first || !strings.Contains(log.String(), "the old one stays") {
			t.Errorf("half a change changed the certificate\n%s", &log)
		}
		write(cert2, key2, 2*time.Second)
		time.Sleep(2 * time.Second)
		if got := serial(t, f.Config()); got == first {
			t.Errorf("the new certificate is not served\n%s", &log)
		}
	})
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, _ := testkit.CertificateFiles(t, dir)
	for _, wrong := range [][2]string{{filepath.Join(dir, "absent"), key}, {cert, cert}, {key, key}} {
		if _, err := certificate.Load(wrong[0], wrong[1], slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), wrong[0]) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
