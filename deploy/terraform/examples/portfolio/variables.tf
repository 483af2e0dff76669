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

variable "environment" {
  description = "dev or prod."
  type        = string
  default     = "prod"
}

variable "frontend_image" {
  description = "Image of the pages: URI with tag or digest. See deploy/frontend."
  type        = string
}

variable "network" {
  description = "Zones, and NAT gateways: one or per_zone."
  type        = object({ zones = number, nat = string })
  default     = { zones = 2, nat = "per_zone" }
}

variable "ipv6" {
  description = "Whether the load balancer has IPv6 addresses too, and the domain AAAA records."
  type        = bool
  default     = true
}

variable "ports" {
  description = "Ports on which pages and service listen."
  type        = object({ frontend = number, backend = number })
  default     = { frontend = 3000, backend = 8000 }
}

variable "health" {
  description = "The load balancer's check of the service, and with the path / of the pages."
  type        = object({ path = string, interval = number, timeout = number, healthy = number, unhealthy = number })
  default     = { path = "/api/v1/health", interval = 30, timeout = 5, healthy = 2, unhealthy = 3 }
}

variable "deregistration_delay" {
  description = "Seconds for a deregistered target to finish its requests."
  type        = number
  default     = 45
}

variable "tasks" {
  description = "Size and number of the tasks of pages and service each, what scaling aims at, and where alarms are raised."
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
    cpu      = 256
    memory   = 512
    desired  = 1
    min      = 1
    max      = 4
    pool_max = 10
    capacity = "on_demand"
    insights = "enabled"
    scaling  = { cpu = 70, memory = 80, out = 60, in = 300 }
    alarms   = { cpu = 80, memory = 80, errors = 5 }
  }
}

variable "database" {
  description = "Version, storage in GiB, days of backups and windows."
  type = object({
    version     = string
    storage     = object({ initial = number, limit = number })
    backup_days = number
    windows     = object({ backup = string, maintenance = string })
  })
  default = {
    version     = "16"
    storage     = { initial = 20, limit = 50 }
    backup_days = 7
    windows     = { backup = "03:00-04:00", maintenance = "mon:04:00-mon:05:00" }
  }
}

variable "cache" {
  description = "Version, days of snapshots, windows, and the alarm of the CPU."
  type = object({
    version       = string
    snapshot_days = number
    windows       = object({ snapshot = string, maintenance = string })
    cpu_alarm     = number
  })
  default = {
    version       = "7.1"
    snapshot_days = 5
    windows       = { snapshot = "03:00-05:00", maintenance = "mon:05:30-mon:06:30" }
    cpu_alarm     = 80
  }
}

variable "environments" {
  description = "What differs between the environments: class and standby of the database, size and number of the cache's nodes."
  type = map(object({
    database = object({ class = string, multi_az = bool })
    cache    = object({ node_type = string, nodes = number })
  }))
  default = {
    dev = {
      database = { class = "db.t4g.micro", multi_az = false }
      cache    = { node_type = "cache.t4g.micro", nodes = 1 }
    }
    prod = {
      database = { class = "db.t4g.small", multi_az = true }
      cache    = { node_type = "cache.t4g.small", nodes = 2 }
    }
  }
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
}

variable "budget" {
  description = "Budget in US dollars per month."
  type        = number
  default     = 400
}
