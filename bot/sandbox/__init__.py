"""An emulated Tencent Cloud and an emulated Slack workspace, for the demo and the tests."""
