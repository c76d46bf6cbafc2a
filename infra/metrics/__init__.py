"""The exporter: what can be known of an installation from outside its processes, as metrics in Prometheus's format."""
