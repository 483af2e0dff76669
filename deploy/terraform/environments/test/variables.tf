variable "region" {
  description = "Region of the environment."
  type        = string
  default     = "us-east-1"
}

variable "image" {
  description = "First image: URI with tag or digest."
  type        = string
}

variable "github" {
  description = "OWNER@ID/NAME@ID, or OWNER/NAME, of the repository whose workflow may refresh this environment."
  type        = string
  default     = null
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
  description = "Certificate for HTTPS, in the same region."
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

variable "settings" {
  description = "Further variables of the service, such as LOG_LEVEL."
  type        = map(string)
  default     = {}
}
