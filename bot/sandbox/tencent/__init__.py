"""An emulated Tencent Cloud."""
