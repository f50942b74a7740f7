"""The back office: the pages of support, risk, finance and compliance."""
