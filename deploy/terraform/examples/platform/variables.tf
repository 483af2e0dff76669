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
  description = "dev, test or prod."
  type        = string
  default     = "dev"
}

variable "project" {
  description = "Part of the log group's name."
  type        = string
  default     = "items"
}

variable "frontend_image" {
  description = "Image of the pages: URI with tag or digest. See deploy/frontend."
  type        = string
}

variable "ports" {
  description = "Ports on which pages and service listen."
  type        = object({ frontend = number, backend = number })
  default     = { frontend = 3000, backend = 3001 }
}

variable "health" {
  description = "The load balancer's check of both: path, seconds between two and for an answer, and how many in a row decide."
  type        = object({ path = string, interval = number, timeout = number, healthy = number, unhealthy = number })
  default     = { path = "/health", interval = 30, timeout = 5, healthy = 2, unhealthy = 3 }
}

variable "deregistration_delay" {
  description = "Seconds for a deregistered target to finish its requests."
  type        = number
  default     = 45
}

variable "scaling" {
  description = "Average CPU and memory in per cent that scaling aims at, and seconds between two steps out, and in."
  type        = object({ cpu = number, memory = number, out = number, in = number })
  default     = { cpu = 70, memory = 80, out = 60, in = 300 }
}

variable "alarms" {
  description = "Per cent of CPU and memory, and of answers with a status of 500 or above, that raise an alarm."
  type        = object({ cpu = number, memory = number, errors = number })
  default     = { cpu = 80, memory = 80, errors = 5 }
}

variable "database" {
  description = "Version, storage in GiB and windows of the database in every environment."
  type = object({
    version = string
    storage = object({ initial = number, limit = number })
    windows = object({ backup = string, maintenance = string })
  })
  default = {
    version = "16"
    storage = { initial = 20, limit = 100 }
    windows = { backup = "01:00-02:00", maintenance = "sun:03:00-sun:04:00" }
  }
}

variable "environments" {
  description = "Sizes of each environment: CPU units, MiB and number of the tasks of pages and service each, capacity, hours, days of logs, network, database, budget."
  type = map(object({
    cpu      = number
    memory   = number
    tasks    = number
    max      = number
    pool_max = number
    capacity = string
    schedule = map(object({ cron = string, min = number, max = number, timezone = optional(string, "UTC") }))
    log_days = number
    network  = object({ zones = number, nat = string })
    database = object({ class = string, multi_az = bool, backup_days = number })
    budget   = number
  }))
  default = {
    dev = {
      cpu      = 256
      memory   = 512
      tasks    = 1
      max      = 2
      pool_max = 10
      capacity = "spot"
      schedule = {
        evening = { cron = "cron(0 20 ? * MON-FRI *)", min = 0, max = 0 }
        morning = { cron = "cron(0 6 ? * MON-FRI *)", min = 1, max = 2 }
      }
      log_days = 7
      network  = { zones = 2, nat = "one" }
      database = { class = "db.t4g.micro", multi_az = false, backup_days = 1 }
      budget   = 150
    }
    test = {
      cpu      = 256
      memory   = 512
      tasks    = 1
      max      = 2
      pool_max = 10
      capacity = "on_demand"
      schedule = {
        evening = { cron = "cron(0 20 ? * MON-FRI *)", min = 0, max = 0 }
        morning = { cron = "cron(0 6 ? * MON-FRI *)", min = 1, max = 2 }
      }
      log_days = 14
      network  = { zones = 2, nat = "one" }
      database = { class = "db.t4g.micro", multi_az = false, backup_days = 1 }
      budget   = 150
    }
    prod = {
      cpu      = 512
      memory   = 1024
      tasks    = 2
      max      = 8
      pool_max = 10
      capacity = "on_demand"
      schedule = {}
      log_days = 30
      network  = { zones = 2, nat = "per_zone" }
      database = { class = "db.t4g.small", multi_az = true, backup_days = 7 }
      budget   = 400
    }
  }
}
