"""The demo's page: a workspace, a cloud, their faults and the policy in a browser, on loopback."""
