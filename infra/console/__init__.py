"""The console: pages that show an installation, a skin over its operations as the command line is one."""
