"""Registries of instances: Consul, Eureka and etcd, each as a source that is watched and as a place to register at."""
