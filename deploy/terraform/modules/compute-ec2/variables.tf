variable "name" {
  description = "Prefix of every resource's name, and the group's name."
  type        = string
}

variable "environment" {
  description = "dev, test or prod."
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

variable "private_subnet_ids" {
  description = "Subnets of the instances."
  type        = list(string)
}

variable "balancer_group_id" {
  description = "The load balancer's security group."
  type        = string
}

variable "service_group_id" {
  description = "The instances' security group."
  type        = string
}

variable "instance_profile_arn" {
  description = "ARN of the instance profile."
  type        = string
}

variable "kms_key_arn" {
  description = "The key of the instances' volumes."
  type        = string
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
    condition     = var.deregistration_delay >= 15 && var.deregistration_delay < 60
    error_message = "At least the service's 15 s for a request, and below the unit's stop time of 60 s."
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

variable "port" {
  description = "Port on which the service listens."
  type        = number
  default     = 5001
}

variable "ami_id" {
  description = "Machine image; none: the newest Amazon Linux 2023."
  type        = string
  default     = null
}

variable "instance_type" {
  description = "Size of an instance."
  type        = string

  # Families with AWS's Arm processors have a g after their number.
  validation {
    condition     = !can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", var.instance_type))
    error_message = "The machine image and the service's image are for x86-64; this type has an Arm processor."
  }
}

variable "size" {
  description = "Number of instances: minimum, initial, maximum."
  type        = object({ min = number, desired = number, max = number })

  validation {
    condition     = var.size.min >= 1 && var.size.min <= var.size.desired && var.size.desired <= var.size.max
    error_message = "1 <= min <= desired <= max."
  }
}

variable "pool_max" {
  description = "DB_POOL_MAX: connections to the database of one instance."
  type        = number
  default     = 10

  validation {
    condition     = var.pool_max >= 2
    error_message = "The service keeps 2 connections open at all times."
  }
}

variable "service_connections" {
  description = "Database connections available to all instances together."
  type        = number
}

variable "image" {
  description = "The image in service until the first refresh: URI with tag or digest. Only the first apply needs it."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^'\\s]+(:[^'/\\s]+|@sha256:[0-9a-f]{64})$", var.image))
    error_message = "A full URI with a tag or a digest."
  }
}

variable "boot_script" {
  description = "Path of the boot script; none: the one of this repository."
  type        = string
  default     = null
}

variable "secret_id" {
  description = "The database's secret, by ARN."
  type        = string
}

variable "database" {
  description = "Host name of the database."
  type        = object({ host = string, port = number, name = string })
}

variable "agent_parameter" {
  description = "SSM parameter with the CloudWatch agent's configuration; empty: no agent."
  type        = string
  default     = ""
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

# The boot script refuses the same settings: if a plan accepted them, the group would replace its instances endlessly.
variable "settings" {
  description = "Further variables of the service."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, value in var.settings : can(regex("^[A-Z][A-Z0-9_]*$", name)) && can(regex("^[A-Za-z0-9_.,:/@!+=~-]*$", value))])
    error_message = "Names are upper case; values are letters, digits and _.,:/@!+=~-, which the boot script accepts."
  }

  validation {
    condition     = length([for name in keys(var.settings) : name if can(regex("PASSWORD|^AWS_.*(KEY|TOKEN)|TOKEN", name))]) == 0
    error_message = "User data can be read by everyone who may describe the launch template, so it must not contain secrets."
  }

  validation {
    condition = length(setintersection(keys(var.settings), [
      "ADMIN_PORT", "BASE_PATH", "DB_POOL_MAX", "DB_SECRET_ID", "HOST", "PORT",
    ])) == 0
    error_message = join(" ", [
      "Set BASE_PATH by base_path and DB_POOL_MAX by pool_max, which the health check and the plan take into account. The load",
      "balancer and the smoke tests rely on HOST, PORT and ADMIN_PORT, and DB_SECRET_ID is the secret of the database.",
    ])
  }
}

variable "cpu" {
  description = "Average CPU in per cent above which an instance is added, and below which one is removed."
  type        = object({ high = number, low = number })
  default     = { high = 70, low = 30 }

  validation {
    condition     = var.cpu.low > 0 && var.cpu.low * 2 < var.cpu.high && var.cpu.high < 100
    error_message = "With low at half of high or more, scaling in from two instances to one would start the second again."
  }
}
