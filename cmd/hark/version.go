package main

import "runtime/debug"

// release is this version of hark, for builds that carry no version of their own.
const release = "0.1.0-dev"

// version is the module's version, where the build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return release
}
