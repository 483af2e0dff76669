variable "name" {
  description = "Prefix of every resource's name, and the group's name."
  type        = string
}

variable "environment" {
  description = "dev, test or prod."
  type        = string
}

variable "private_subnet_ids" {
  description = "Subnets of the instances."
  type        = list(string)
}

variable "service_group_id" {
  description = "The instances' security group."
  type        = string
}

variable "target_group_arn" {
  description = "The load balancer's target group of the service."
  type        = string
}

variable "kms_key_arn" {
  description = "The key of the instances' volumes, and of the secret."
  type        = string
}

variable "repository_arn" {
  description = "The only image repository that an instance may pull from."
  type        = string
}

variable "log_group_arn" {
  description = "The only log group that an instance may write to."
  type        = string
}

variable "image" {
  description = "The image in service: URI with tag or digest."
  type        = string
}

variable "base_path" {
  description = "Prefix of every path of the service, such as /career; empty: none."
  type        = string
  default     = ""
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

variable "boot_script" {
  description = "Path of the boot script; none: the one of this repository."
  type        = string
  default     = null
}

variable "secret_id" {
  description = "The database's secret, by ARN: the only one that an instance may read."
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
