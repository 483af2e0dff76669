variable "environment" {
  description = "dev, test or prod; items-<environment> prefixes every name."
  type        = string

  validation {
    condition     = contains(["dev", "test", "prod"], var.environment)
    error_message = "dev, test or prod."
  }
}

variable "image" {
  description = "First image: URI with tag or digest. Refreshes bring later ones."
  type        = string
  default     = null
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
  description = "Type and number of instances, and DB_POOL_MAX of each."
  type        = object({ type = string, min = number, desired = number, max = number, pool_max = number })
}

variable "database" {
  description = "Class, standby, days of backups."
  type        = object({ class = string, multi_az = bool, backup_days = number })
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
