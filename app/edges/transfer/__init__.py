"""The transfer contract: the operator calls us. A request walks door, envelope, form, teller."""
