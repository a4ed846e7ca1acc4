"""The demo's page: a workspace, a cloud, their weather and the policy in a browser, on loopback."""
