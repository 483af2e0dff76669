variable "region" {
  description = "Where everything stands."
  type        = string
  default     = "us-east-1"
}

variable "image" {
  description = "The image to begin with: URI with tag or digest."
  type        = string
}

variable "github" {
  description = "OWNER/NAME of the repository whose workflow may refresh this environment."
  type        = string
  default     = null
}

variable "emails" {
  description = "Who gets every alarm."
  type        = list(string)
  default     = []
}

variable "phones" {
  description = "Who gets critical alarms as a text message."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "Certificate for HTTPS, in the same region."
  type        = string
  default     = null
}

variable "domain" {
  description = "The service's name in the DNS."
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
