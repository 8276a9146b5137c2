"""Shipped profiles, a folder each: `profile.yaml`, `alerts.yaml` and the gazetteer that it names."""
