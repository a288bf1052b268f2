package soak

import (
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
