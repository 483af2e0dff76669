variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "environment" {
  description = "dev, test or prod."
  type        = string
}

variable "kms_key_arn" {
  description = "The key of the log group and the topics."
  type        = string
}

variable "log_days" {
  description = "How long the service's log is kept."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "CloudWatch supports 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days."
  }
}

variable "emails" {
  description = "E-mail addresses that receive every alarm. Each must confirm with a link that AWS sends."
  type        = list(string)
  default     = []
}

variable "phones" {
  description = "Phone numbers that receive critical alarms as text messages: with + and the country code."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for phone in var.phones : can(regex("^\\+[1-9][0-9]{6,14}$", phone))])
    error_message = "Numbers in E.164: +491701234567."
  }
}

variable "balancer_arn_suffix" {
  description = "Name of the load balancer in its metrics."
  type        = string
}

variable "target_group_arn_suffix" {
  description = "Name of the target group in its metrics."
  type        = string
}

variable "platform" {
  description = "ec2: the service runs on instances of a group; ecs: in tasks of a cluster, whose alarms are in the module compute-ecs."
  type        = string
  default     = "ec2"
}

variable "group_name" {
  description = "The Auto Scaling group; null: on ECS."
  type        = string
  default     = null
}

variable "cluster_name" {
  description = "The cluster of ECS, for the dashboard."
  type        = string
  default     = null
}

variable "service_name" {
  description = "The service's name in the cluster."
  type        = string
  default     = null
}

variable "log_group" {
  description = "Name of the service's log group; null: /items/<environment>/service."
  type        = string
  default     = null
}

variable "further_log_groups" {
  description = "Names of log groups for containers beside the service."
  type        = set(string)
  default     = []
}

variable "database_id" {
  description = "The database's identifier."
  type        = string
}

variable "budget" {
  description = "Budget in US dollars per month; warns at 80 % spent, and when the forecast exceeds it."
  type        = number

  validation {
    condition     = var.budget > 0
    error_message = "The budget must be above 0."
  }
}

variable "cloudwatch_directory" {
  description = "Directory with queries, metric filters, dashboard and the agent's configuration; none: that of this repository."
  type        = string
  default     = null
}
