// Package grpcapi takes events in by gRPC: hark.v1.EventPublisher, with the health and the reflection service.
package grpcapi
