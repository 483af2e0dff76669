variable "name" {
  description = "The load balancer's name, and prefix of every other resource's."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "public_subnet_ids" {
  description = "Subnets of the load balancer."
  type        = list(string)
}

variable "security_group_id" {
  description = "The load balancer's security group."
  type        = string
}

variable "target_type" {
  description = "instance: the targets are EC2 instances; ip: they are tasks of ECS with addresses of their own."
  type        = string

  validation {
    condition     = contains(["instance", "ip"], var.target_type)
    error_message = "instance or ip."
  }
}

variable "port" {
  description = "Port on which the service listens."
  type        = number
  default     = 5001
}

variable "health" {
  description = "The service's health check: path below base_path, seconds between two checks and for an answer, and how many in a row decide."
  type = object({
    path      = optional(string, "/health")
    interval  = optional(number, 30)
    timeout   = optional(number, 5)
    healthy   = optional(number, 2)
    unhealthy = optional(number, 2)
  })
  default = {}

  validation {
    condition = (
      startswith(var.health.path, "/") && var.health.interval >= 5 && var.health.interval <= 300 &&
      var.health.timeout < var.health.interval && min(var.health.healthy, var.health.unhealthy) >= 2 &&
      max(var.health.healthy, var.health.unhealthy) <= 10
    )
    error_message = "A path, 5 to 300 s between two checks, less than that for an answer, and 2 to 10 checks in a row."
  }
}

variable "certificate_arn" {
  description = "Certificate for HTTPS; port 80 then only redirects. Without one the service uses plain HTTP."
  type        = string
  default     = null
}

variable "domain" {
  description = "Host name of the service, which the certificate covers; none: the load balancer's host name."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "Route 53 zone in which the domain becomes an alias of the load balancer; none: create the record yourself."
  type        = string
  default     = null

  validation {
    condition     = var.zone_id == null || var.domain != null
    error_message = "A zone requires a domain."
  }
}

variable "deletion_protection" {
  description = "Whether the load balancer is protected from deletion."
  type        = bool
  default     = true
}

variable "access_log_bucket" {
  description = "Bucket for the load balancer's access log, whose policy must permit log delivery; none: no access log."
  type        = string
  default     = null
}

variable "rate_limit" {
  description = "Requests per address in five minutes above which a web ACL answers 429; null: no web ACL."
  type        = number
  default     = null

  validation {
    condition     = var.rate_limit == null || try(var.rate_limit >= 100 && floor(var.rate_limit) == var.rate_limit, false)
    error_message = "A whole number of at least 100: several people may share one address."
  }
}

variable "idle_timeout" {
  description = "Seconds without a byte after which the load balancer closes a connection."
  type        = number
  default     = 60

  validation {
    condition     = var.idle_timeout > 15 && var.idle_timeout < 75
    error_message = "Above the service's 15 s for a request, and below the 75 s it keeps idle connections: otherwise clients get 502."
  }
}

variable "deregistration_delay" {
  description = "Seconds for a deregistered target to finish its requests."
  type        = number
  default     = 45

  validation {
    condition     = var.deregistration_delay >= 15 && var.deregistration_delay < var.stop_timeout
    error_message = "At least the service's 15 s for a request, and below stop_timeout, after which the target is killed."
  }
}

variable "hidden_paths" {
  description = "Paths for which the load balancer returns 404: for operators, not for the internet."
  type        = list(string)
  default     = ["/metrics", "/db"]

  validation {
    condition     = length(var.hidden_paths) > 0 && length(var.hidden_paths) <= 5 && alltrue([for path in var.hidden_paths : startswith(path, "/")])
    error_message = "One to five paths, the maximum of a rule."
  }
}

variable "stop_timeout" {
  description = "Seconds that a target has from SIGTERM to its end: the unit's stop time on EC2, stopTimeout on ECS."
  type        = number
  default     = 60
}

variable "base_path" {
  description = "Prefix of every path of the service, such as /career; empty: none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.~-]+)*$", var.base_path))
    error_message = "Segments that each begin with a slash, without one at the end."
  }
}

variable "frontend" {
  description = "Port and health check of the pages beside the service, which get every request that service_paths does not name; null: none."
  type = object({
    port = number
    health = optional(object({
      path      = optional(string, "/health")
      interval  = optional(number, 30)
      timeout   = optional(number, 5)
      healthy   = optional(number, 2)
      unhealthy = optional(number, 2)
    }), {})
  })
  default = null
}

variable "service_paths" {
  description = "Patterns of paths below base_path that lead to the service, beside a frontend."
  type        = list(string)
  default     = ["/api/*", "/health", "/health/*"]

  validation {
    condition     = length(var.service_paths) > 0 && length(var.service_paths) <= 5 && alltrue([for path in var.service_paths : startswith(path, "/")])
    error_message = "One to five paths, the maximum of a rule."
  }
}

variable "www" {
  description = "Whether www in front of the domain leads to the load balancer too; the certificate must cover it."
  type        = bool
  default     = false
}

variable "ipv6" {
  description = "Whether the load balancer also has IPv6 addresses, and the domain AAAA records; the public subnets need IPv6 ranges."
  type        = bool
  default     = false
}
