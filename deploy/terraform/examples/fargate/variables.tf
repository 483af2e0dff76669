# A variable without a default is one whose omission would delete something, as in ../../environments. terraform.tfvars has the
# values. Every number has the default of the system that this example follows; README.md lists those that differ.
variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "github" {
  description = "OWNER@ID/NAME@ID, or OWNER/NAME, of the repository whose workflow may deploy to this environment; null: none."
  type        = string
}

variable "emails" {
  description = "E-mail addresses that receive every alarm."
  type        = list(string)
}

variable "certificate_arn" {
  description = "Certificate for HTTPS, in the same region; null: the service uses plain HTTP."
  type        = string
}

variable "domain" {
  description = "Host name of the service; null: the load balancer's host name."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone of the domain."
  type        = string
  default     = null
}

variable "image" {
  description = "First image: URI with tag or digest. Only the first apply needs it."
  type        = string
  default     = null
}

variable "network" {
  description = "Zones, and NAT gateways: one or per_zone."
  type        = object({ zones = number, nat = string })
  default     = { zones = 2, nat = "one" }
}

variable "port" {
  description = "Port on which the service listens."
  type        = number
  default     = 8000
}

variable "health" {
  description = "The load balancer's check: path, seconds between two and for an answer, and how many in a row decide."
  type        = object({ path = string, interval = number, timeout = number, healthy = number, unhealthy = number })
  default     = { path = "/healthz", interval = 30, timeout = 5, healthy = 2, unhealthy = 3 }
}

variable "deregistration_delay" {
  description = "Seconds for a deregistered target to finish its requests."
  type        = number
  default     = 45
}

variable "tasks" {
  description = "Size and number of tasks, what scaling aims at, and where alarms are raised."
  type = object({
    cpu      = number
    memory   = number
    desired  = number
    min      = number
    max      = number
    pool_max = number
    capacity = string
    insights = string
    scaling  = object({ cpu = number, memory = number, out = number, in = number })
    alarms   = object({ cpu = number, memory = number, errors = number })
  })
  default = {
    cpu      = 512
    memory   = 1024
    desired  = 2
    min      = 2
    max      = 6
    pool_max = 10
    capacity = "on_demand"
    insights = "enabled"
    scaling  = { cpu = 70, memory = 80, out = 60, in = 300 }
    alarms   = { cpu = 80, memory = 90, errors = 5 }
  }
}

variable "database" {
  description = "Version, class, storage in GiB, standby, days of backups and windows."
  type = object({
    version     = string
    class       = string
    storage     = object({ initial = number, limit = number })
    multi_az    = bool
    backup_days = number
    windows     = object({ backup = string, maintenance = string })
  })
  default = {
    version     = "15"
    class       = "db.t3.small"
    storage     = { initial = 20, limit = 100 }
    multi_az    = true
    backup_days = 7
    windows     = { backup = "01:00-02:00", maintenance = "sun:03:00-sun:04:00" }
  }
}

variable "log_group" {
  description = "Name of the service's log group."
  type        = string
  default     = "/ecs/fastapi-app-production"
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
}

variable "budget" {
  description = "Budget in US dollars per month."
  type        = number
  default     = 250
}
