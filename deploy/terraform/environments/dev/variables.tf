# A variable without a default is one whose omission would delete something: the HTTPS listener, the workflow's role,
# subscriptions or, with another region, the environment. terraform.tfvars has the values; it is committed, without secrets.
variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "github" {
  description = "OWNER@ID/NAME@ID, or OWNER/NAME, of the repository whose workflow may refresh this environment; null: none."
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

variable "phones" {
  description = "Phone numbers that receive critical alarms as text messages."
  type        = list(string)
  default     = []
}

variable "base_path" {
  description = "Prefix of every path of the service, such as /career."
  type        = string
  default     = ""
}

variable "settings" {
  description = "Further variables of the service, such as LOG_LEVEL."
  type        = map(string)
  default     = {}
}

variable "image" {
  description = "First image: URI with tag or digest. Only the first apply needs it."
  type        = string
  default     = null
}

variable "repository" {
  description = "The image repository's name in this account and region."
  type        = string
  default     = "items"
}

variable "ami_id" {
  description = "Machine image; null: the newest Amazon Linux 2023 at each apply."
  type        = string
  default     = null
}

variable "access_log_bucket" {
  description = "Bucket for the load balancer's access log; null: no access log."
  type        = string
  default     = null
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

variable "replica_region" {
  description = "Second region that gets a copy of the database's backups; null: none."
  type        = string
  default     = null
}
