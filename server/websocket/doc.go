// Package websocket serves GraphQL over WebSocket: graphql-transport-ws, and the older graphql-ws.
package websocket
