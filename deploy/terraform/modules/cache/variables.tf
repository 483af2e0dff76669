variable "name" {
  description = "Prefix of every resource's name."
  type        = string

  validation {
    condition     = length(var.name) <= 34
    error_message = "ElastiCache permits 40 characters, and six are the module's."
  }
}

variable "environment" {
  description = "dev, test or prod."
  type        = string
}

variable "subnet_ids" {
  description = "The database tier, whose network ACL admits the port."
  type        = list(string)
}

variable "security_group_id" {
  description = "The cache's security group."
  type        = string
}

variable "kms_key_arn" {
  description = "The key of data and log."
  type        = string
}

variable "topic_arn" {
  description = "SNS topic of the alarms."
  type        = string
}

variable "port" {
  description = "Port on which the cache listens."
  type        = number
  default     = 6379
}

variable "engine_version" {
  description = "Redis's version: 7.1 is the last that ElastiCache offers under this name."
  type        = string
  default     = "7.1"

  validation {
    condition     = contains(["7.0", "7.1"], var.engine_version)
    error_message = "7.0 or 7.1, whose parameter family is redis7."
  }
}

variable "node_type" {
  description = "Size of a node."
  type        = string
  default     = "cache.t4g.micro"

  validation {
    condition     = startswith(var.node_type, "cache.")
    error_message = "cache.FAMILY.SIZE."
  }
}

variable "nodes" {
  description = "1: what is cached is lost with the node. 2 or more: a copy in another zone takes over."
  type        = number
  default     = 1

  validation {
    condition     = var.nodes >= 1 && var.nodes <= 6 && floor(var.nodes) == var.nodes
    error_message = "1 to 6: a primary and up to five copies."
  }
}

variable "snapshot_days" {
  description = "Days of snapshots; 0: none."
  type        = number
  default     = 5

  validation {
    condition     = var.snapshot_days >= 0 && var.snapshot_days <= 35
    error_message = "0 to 35 days."
  }
}

variable "windows" {
  description = "UTC: the daily snapshot, and the weekly maintenance; at least an hour each, and they must not overlap."
  type = object({
    snapshot    = optional(string, "03:00-05:00")
    maintenance = optional(string, "mon:05:30-mon:06:30")
  })
  default = {}
}

variable "apply_immediately" {
  description = "Whether changes are applied immediately, or in the next maintenance window."
  type        = bool
  default     = false
}

variable "alarms" {
  description = "Per cent of CPU and memory for ten minutes that raise an alarm."
  type        = object({ cpu = optional(number, 80), memory = optional(number, 90) })
  default     = {}
}

variable "log_days" {
  description = "How long slow commands are kept."
  type        = number
  default     = 30
}
