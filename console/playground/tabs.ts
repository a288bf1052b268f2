// The operations that a new window opens with: one to listen, one to have something to hear.
export const tabs = [
  {
    query: `# Live events: run this, then publish in a
# new window. Leaving this tab ends it.
subscription Listen {
  projectEvents(filter: {}) {
    eventType
    environment
    path
    payload
  }
}
`,
  },
  {
    query: `mutation Publish {
  publishEvents(
    input: [
      {
        sourceService: "secret-manager"
        resourceType: "secret"
        operationType: "update"
        environment: "staging"
        path: "/"
        payload: [
          {
            environment: "staging"
            secretPath: "/"
            secretKey: "SECRET_KEY1"
          }
        ]
      }
    ]
  ) {
    events {
      id
      sequence
    }
    duplicates
  }
}
`,
  },
];
