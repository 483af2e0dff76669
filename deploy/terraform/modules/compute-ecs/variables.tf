variable "name" {
  description = "Prefix of every resource's name, and the cluster's name."
  type        = string
}

variable "environment" {
  description = "dev, test or prod."
  type        = string
}

variable "private_subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "service_group_id" {
  description = "The tasks' security group."
  type        = string
}

variable "target_group_arn" {
  description = "The load balancer's target group of the service, with targets by address."
  type        = string
}

variable "balancer_arn_suffix" {
  description = "Name of the load balancer in its metrics."
  type        = string
}

variable "kms_key_arn" {
  description = "The key of the secret."
  type        = string
}

variable "repository_arn" {
  description = "The image repository that tasks are started from."
  type        = string
}

variable "image" {
  description = "The image in service: URI with tag or digest. It needs RDS's certificates at /etc/items/certificates/rds.pem."
  type        = string
}

variable "port" {
  description = "Port on which the service listens."
  type        = number
  default     = 5001
}

variable "base_path" {
  description = "Prefix of every path of the service, such as /career; empty: none."
  type        = string
  default     = ""
}

variable "task" {
  description = "CPU units (1024 are a core) and MiB of memory of a task."
  type        = object({ cpu = optional(number, 512), memory = optional(number, 1024) })
  default     = {}

  validation {
    condition = contains(lookup({
      "256"  = [512, 1024, 2048]
      "512"  = range(1024, 4097, 1024)
      "1024" = range(2048, 8193, 1024)
      "2048" = range(4096, 16385, 1024)
      "4096" = range(8192, 30721, 1024)
    }, tostring(var.task.cpu), []), var.task.memory)
    error_message = "Fargate has 256 with 512 to 2048 MiB, 512 with 1024 to 4096, 1024 with 2048 to 8192, 2048 with 4096 to 16384 and 4096 with 8192 to 30720."
  }
}

variable "size" {
  description = "Number of tasks: minimum, initial, maximum."
  type        = object({ min = number, desired = number, max = number })

  validation {
    condition     = var.size.min >= 1 && var.size.min <= var.size.desired && var.size.desired <= var.size.max
    error_message = "1 <= min <= desired <= max."
  }
}

variable "capacity" {
  description = "on_demand; spot: 70 % cheaper, and ended two minutes after a warning when AWS needs the capacity; mixed: the minimum on demand, and half of what exceeds it."
  type        = string
  default     = "on_demand"

  validation {
    condition     = contains(["on_demand", "spot", "mixed"], var.capacity)
    error_message = "on_demand, spot or mixed."
  }
}

variable "container_insights" {
  description = "CloudWatch's metrics of each task: enabled, enhanced (with each container) or disabled. Each is charged as a custom metric."
  type        = string
  default     = "enabled"

  validation {
    condition     = contains(["enabled", "enhanced", "disabled"], var.container_insights)
    error_message = "enabled, enhanced or disabled."
  }
}

variable "files" {
  description = "Limit of open files of the service: two for each connection it is to accept."
  type        = number
  default     = 20000
}

variable "drain" {
  description = "Seconds after SIGTERM in which the service still accepts connections, because ECS sends it before the target is deregistered; and those after that for requests in flight."
  type        = object({ delay = optional(number, 20), timeout = optional(number, 20) })
  default     = {}

  validation {
    condition     = var.drain.delay >= 15 && var.drain.timeout >= 15
    error_message = "At least 15 s each: that long a deregistered target still receives requests, and that long a request may take."
  }
}

variable "stop_timeout" {
  description = "Seconds from SIGTERM until a task is killed."
  type        = number
  default     = 60

  validation {
    condition     = var.stop_timeout <= 120
    error_message = "Fargate permits 120 s."
  }
}

variable "grace" {
  description = "Seconds after a task's start in which the load balancer's checks do not count: longer than a start with its migrations."
  type        = number
  default     = 60

  validation {
    condition     = var.grace >= 30
    error_message = "The container's own check has a start period of 30 s."
  }
}

variable "pool_max" {
  description = "DB_POOL_MAX: connections to the database of one task."
  type        = number
  default     = 10

  validation {
    condition     = var.pool_max >= 2
    error_message = "The service keeps 2 connections open at all times."
  }
}

variable "service_connections" {
  description = "Database connections available to all tasks together."
  type        = number
}

variable "secret_id" {
  description = "The database's secret, by ARN: the only one that a task may read."
  type        = string
}

variable "database" {
  description = "Host name of the database."
  type        = object({ host = string, port = number, name = string })
}

variable "settings" {
  description = "Further variables of the service."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, value in var.settings : can(regex("^[A-Z][A-Z0-9_]*$", name)) && can(regex("^[A-Za-z0-9_.,:/@!+=~-]*$", value))])
    error_message = "Names are upper case; values are letters, digits and _.,:/@!+=~-, as on EC2."
  }

  validation {
    condition     = length([for name in keys(var.settings) : name if can(regex("PASSWORD|^AWS_.*(KEY|TOKEN)|TOKEN", name))]) == 0
    error_message = "A task definition can be read by everyone who may describe it, so it must not contain secrets."
  }

  validation {
    condition = length(setintersection(keys(var.settings), [
      "ADMIN_PORT", "BASE_PATH", "DB_POOL_MAX", "DB_SECRET_ID", "DRAIN_DELAY_MS", "DRAIN_TIMEOUT_MS", "HOST", "PORT",
    ])) == 0
    error_message = join(" ", [
      "Set BASE_PATH by base_path, DB_POOL_MAX by pool_max and the drain by drain, which health check and plan take into account. The load",
      "balancer and the smoke tests rely on HOST, PORT and ADMIN_PORT, and DB_SECRET_ID is the secret of the database.",
    ])
  }
}

variable "log" {
  description = "The log group of the service, and the prefix of its streams."
  type        = object({ group = string, prefix = optional(string, "backend") })
}

variable "scaling" {
  description = "Average CPU and memory in per cent that scaling aims at, and seconds between two steps out, and in."
  type = object({
    cpu    = optional(number, 70)
    memory = optional(number, 80)
    out    = optional(number, 60)
    in     = optional(number, 300)
  })
  default = {}

  validation {
    condition     = min(var.scaling.cpu, var.scaling.memory) >= 10 && max(var.scaling.cpu, var.scaling.memory) <= 90 && min(var.scaling.out, var.scaling.in) >= 0
    error_message = "10 to 90 %: above, a task has no room left when the next one starts."
  }
}

variable "schedule" {
  description = "Minimum and maximum number of tasks from a time on, by name: cron in the form of EventBridge, with its time zone. 0 switches everything off."
  type = map(object({
    cron     = string
    min      = number
    max      = number
    timezone = optional(string, "UTC")
  }))
  default = {}

  validation {
    condition = alltrue([
      for one in values(var.schedule) : startswith(one.cron, "cron(") && one.min >= 0 && one.min <= one.max && one.max <= var.size.max
    ])
    error_message = "cron(...), and 0 <= min <= max <= size.max, for which the database has connections."
  }
}

variable "alarms" {
  description = "Per cent of CPU and memory for ten minutes, and of answers with a status of 500 or above for three, that raise an alarm."
  type = object({
    cpu    = optional(number, 80)
    memory = optional(number, 80)
    errors = optional(number, 5)
  })
  default = {}
}

variable "topic_arns" {
  description = "SNS topics of the alarms, by severity."
  type        = object({ critical = string, warning = string })
}

variable "frontend" {
  description = "Pages beside the service, from an image of their own that listens on the port as user 101 and writes nothing; null: none."
  type = object({
    image          = string
    repository_arn = string
    port           = optional(number, 3000)
    cpu            = optional(number, 256)
    memory         = optional(number, 512)
    size           = object({ min = number, desired = number, max = number })
    log_group      = optional(string)
  })
  default = null

  validation {
    condition     = var.frontend == null || try(contains([512, 1024, 2048], var.frontend.memory) && var.frontend.cpu == 256 || var.frontend.cpu == 512 && var.frontend.memory >= 1024 && var.frontend.memory <= 4096, false)
    error_message = "Pages need 256 CPU units with 512 to 2048 MiB, or 512 with 1024 to 4096."
  }
}

variable "frontend_target_group_arn" {
  description = "The load balancer's target group of the pages."
  type        = string
  default     = null

  validation {
    condition     = (var.frontend_target_group_arn == null) == (var.frontend == null)
    error_message = "Pages and their target group need each other."
  }
}
