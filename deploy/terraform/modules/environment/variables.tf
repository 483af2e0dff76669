variable "environment" {
  description = "dev, test or prod; items-<environment> prefixes every name."
  type        = string

  validation {
    condition     = contains(["dev", "test", "prod"], var.environment)
    error_message = "dev, test or prod."
  }
}

variable "platform" {
  description = "ec2: instances in an Auto Scaling group; ecs: tasks on Fargate."
  type        = string
  default     = "ec2"

  validation {
    condition     = contains(["ec2", "ecs"], var.platform)
    error_message = "ec2 or ecs."
  }

  validation {
    condition     = var.platform == "ec2" ? var.instances != null : var.tasks != null
    error_message = "ec2 needs instances, and ecs needs tasks."
  }
}

variable "image" {
  description = "First image: URI with tag or digest. Refreshes bring later ones. Only the first apply needs it."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^[^'\\s]+(:[^'/\\s]+|@sha256:[0-9a-f]{64})$", var.image))
    error_message = "A full URI with a tag or a digest."
  }
}

variable "repository" {
  description = "The image repository's name in this account and region."
  type        = string
  default     = "items"
}

variable "github" {
  description = "OWNER@ID/NAME@ID, or OWNER/NAME, of the repository whose workflow may refresh this environment; none: no role for it."
  type        = string
  default     = null
}

variable "network" {
  description = "Zones, and NAT gateways: one or per_zone."
  type        = object({ zones = number, nat = string })
}

variable "instances" {
  description = "On EC2: type and number of instances, and DB_POOL_MAX of each."
  type        = object({ type = string, min = number, desired = number, max = number, pool_max = number })
  default     = null
}

variable "tasks" {
  description = "On ECS: size and number of tasks, DB_POOL_MAX of each, and what the module compute-ecs describes under these names."
  type = object({
    cpu          = optional(number, 512)
    memory       = optional(number, 1024)
    min          = number
    desired      = number
    max          = number
    pool_max     = optional(number, 10)
    capacity     = optional(string, "on_demand")
    insights     = optional(string, "enabled")
    stop_timeout = optional(number, 60)
    drain        = optional(object({ delay = optional(number, 20), timeout = optional(number, 20) }), {})
    scaling      = optional(object({ cpu = optional(number, 70), memory = optional(number, 80), out = optional(number, 60), in = optional(number, 300) }), {})
    schedule     = optional(map(object({ cron = string, min = number, max = number, timezone = optional(string, "UTC") })), {})
    alarms       = optional(object({ cpu = optional(number, 80), memory = optional(number, 80), errors = optional(number, 5) }), {})
  })
  default = null
}

variable "frontend" {
  description = "On ECS: pages beside the service, which get what is not below /api or /health: image, its repository, size and number of tasks; null: none."
  type = object({
    image      = string
    repository = optional(string, "items-frontend")
    port       = optional(number, 3000)
    cpu        = optional(number, 256)
    memory     = optional(number, 512)
    min        = number
    desired    = number
    max        = number
    log_group  = optional(string)
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

variable "cache" {
  description = "A cache on ElastiCache: version, nodes, snapshots, windows and the alarm of its CPU; null: none."
  type = object({
    version       = optional(string, "7.1")
    node_type     = optional(string, "cache.t4g.micro")
    nodes         = optional(number, 1)
    port          = optional(number, 6379)
    snapshot_days = optional(number, 5)
    windows       = optional(object({ snapshot = optional(string, "03:00-05:00"), maintenance = optional(string, "mon:05:30-mon:06:30") }), {})
    cpu_alarm     = optional(number, 80)
  })
  default = null
}

variable "database" {
  description = "Class, standby, days of backups; version, storage in GiB and windows."
  type = object({
    class         = string
    multi_az      = bool
    backup_days   = number
    version       = optional(string, "15")
    major_upgrade = optional(bool, false)
    storage       = optional(object({ initial = number, limit = number }), { initial = 20, limit = 100 })
    windows       = optional(object({ backup = optional(string, "01:00-02:00"), maintenance = optional(string, "sun:03:00-sun:04:00") }), {})
  })
}

variable "port" {
  description = "Port on which the service listens."
  type        = number
  default     = 5001
}

variable "health" {
  description = "The load balancer's check of the service: path below base_path, seconds between two and for an answer, and how many in a row decide."
  type = object({
    path      = optional(string, "/health")
    interval  = optional(number, 30)
    timeout   = optional(number, 5)
    healthy   = optional(number, 2)
    unhealthy = optional(number, 2)
  })
  default = {}
}

variable "deregistration_delay" {
  description = "Seconds for a deregistered target to finish its requests."
  type        = number
  default     = 45
}

variable "log_group" {
  description = "Name of the service's log group; null: /items/<environment>/service."
  type        = string
  default     = null
}

variable "www" {
  description = "Whether www in front of the domain leads to the service too."
  type        = bool
  default     = false
}

variable "ipv6" {
  description = "Whether the load balancer has IPv6 addresses too, and the domain AAAA records."
  type        = bool
  default     = false
}

variable "protected" {
  description = "Whether load balancer and database are protected from deletion."
  type        = bool
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
}

variable "budget" {
  description = "Budget in US dollars per month."
  type        = number
}

variable "emails" {
  description = "E-mail addresses that receive every alarm."
  type        = list(string)
  default     = []
}

variable "phones" {
  description = "Phone numbers that receive critical alarms as text messages."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "Certificate for HTTPS."
  type        = string
  default     = null
}

variable "domain" {
  description = "Host name of the service."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "Route 53 zone of the domain."
  type        = string
  default     = null
}

variable "access_log_bucket" {
  description = "Bucket for the load balancer's access log."
  type        = string
  default     = null
}

variable "ami_id" {
  description = "Machine image; none: the newest Amazon Linux 2023."
  type        = string
  default     = null
}

variable "base_path" {
  description = "Prefix of every path of the service."
  type        = string
  default     = ""
}

variable "rate_limit" {
  description = "Requests per address in five minutes above which a web ACL answers 429; null: no web ACL."
  type        = number
  default     = null
}

variable "apply_immediately" {
  description = "Whether changes of the database are applied immediately, with an interruption, or in the next maintenance window."
  type        = bool
  default     = false
}

variable "settings" {
  description = "Further variables of the service."
  type        = map(string)
  default     = {}
}
