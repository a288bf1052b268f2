package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hark-events/hark/internal/config"
)

type auditExportCmd struct {
	config.Client

	Project string `help:"Id of the project. Default: all that the token may see." placeholder:"ID" env:"-"`
}

// Help shows an example.
func (auditExportCmd) Help() string {
	return "One entry on each line, the newest first. The token needs READ_AUDIT_LOG.\n\nExample:\n  hark audit export > audit.jsonl"
}

const auditQuery = `query($project: UUID, $after: String) {
	auditLog(projectId: $project, first: 500, after: $after) {
		nodes { id at actor { id name } action target projectId address userAgent detail }
		pageInfo { hasNextPage endCursor }
	}
}`

// Run prints the audit log as lines of JSON.
func (c *auditExportCmd) Run(ctx context.Context, std stdio) error {
	if err := c.Client.Validate(); err != nil {
		return usageError{err}
	}
	variables := struct {
		Project *string `json:"project"`
		After   *string `json:"after"`
	}{}
	if c.Project != "" {
		variables.Project = &c.Project
	}
	for {
		raw, err := json.Marshal(variables)
		if err != nil {
			return err
		}
		var page struct {
			AuditLog struct {
				Nodes    []json.RawMessage
				PageInfo struct {
					HasNextPage bool
					EndCursor   *string
				}
			}
		}
		if err := (client{c.Client}).do(ctx, request{Query: auditQuery, Variables: raw}, &page); err != nil {
			return err
		}
		for _, entry := range page.AuditLog.Nodes {
			if _, err := fmt.Fprintf(std.out, "%s\n", entry); err != nil {
				return err
			}
		}
		if !page.AuditLog.PageInfo.HasNextPage {
			return nil
		}
		variables.After = page.AuditLog.PageInfo.EndCursor
	}
}
