"""A real Eureka: Spring Cloud's server, from locked artifacts of Maven, started without compiling anything."""
