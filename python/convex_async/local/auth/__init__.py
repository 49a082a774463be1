"""Who calls: tokens and their issuers."""
