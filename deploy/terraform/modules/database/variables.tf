variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "subnet_ids" {
  description = "The database tier."
  type        = list(string)
}

variable "security_group_id" {
  description = "The database's security group."
  type        = string
}

variable "kms_key_arn" {
  description = "The key of storage, snapshots, secret, logs and Performance Insights."
  type        = string
}

variable "instance_class" {
  description = "Size of the server; its memory decides max_connections."
  type        = string

  validation {
    condition     = contains(keys(local.memory), var.instance_class)
    error_message = "The memory of this class is not in the module's table: add it there."
  }
}

variable "engine_version" {
  description = "PostgreSQL's version: a major one, whose newest minor RDS chooses, or a full one."
  type        = string
  default     = "15"

  validation {
    condition     = can(regex("^(15|16|17)([.][0-9]+)?$", var.engine_version))
    error_message = "15, 16 or 17, with or without a minor version."
  }
}

variable "major_upgrade" {
  description = "Whether an apply may change the major version. Take a snapshot first: there is no way back."
  type        = bool
  default     = false
}

variable "windows" {
  description = "Half hours or more, UTC, for the daily backup and the weekly maintenance; they must not overlap."
  type = object({
    backup      = optional(string, "01:00-02:00")
    maintenance = optional(string, "sun:03:00-sun:04:00")
  })
  default = {}

  validation {
    condition = (
      can(regex("^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$", var.windows.backup)) &&
      can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.windows.maintenance))
    )
    error_message = "hh:mm-hh:mm, and ddd:hh:mm-ddd:hh:mm."
  }
}

variable "multi_az" {
  description = "Whether a standby in another zone takes over within 60-120 s."
  type        = bool
}

variable "backup_days" {
  description = "Days of backups: how far back a point in time can be restored."
  type        = number

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "RDS keeps backups for 1 to 35 days; 0 would switch them off."
  }
}

variable "deletion_protection" {
  description = "Whether the database is protected from deletion."
  type        = bool
  default     = true
}

variable "apply_immediately" {
  description = "Whether changes are applied immediately, with an interruption, or in the next maintenance window."
  type        = bool
  default     = false
}

variable "storage" {
  description = "Initial and maximum storage in GiB; RDS grows it automatically."
  type        = object({ initial = number, limit = number })
  default     = { initial = 20, limit = 100 }

  validation {
    condition     = var.storage.initial >= 20 && var.storage.limit > var.storage.initial
    error_message = "At least 20 GiB, or the alarm at 10 GB fires from the start; and the maximum above the initial size."
  }
}

variable "port" {
  description = "Port on which the server listens."
  type        = number
  default     = 5432
}

variable "log_days" {
  description = "How long the server's log is kept."
  type        = number
  default     = 30
}
