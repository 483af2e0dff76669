variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "environment" {
  description = "dev, test or prod."
  type        = string
}

variable "vpc_id" {
  description = "The network that the groups belong to."
  type        = string
}

variable "port" {
  description = "Port on which the service listens."
  type        = number
  default     = 5001
}

variable "database_port" {
  description = "Port on which the database listens."
  type        = number
  default     = 5432
}

variable "frontend_port" {
  description = "Port of the pages beside the service; null: none."
  type        = number
  default     = null
}

variable "cache_port" {
  description = "Port of the cache; null: none."
  type        = number
  default     = null
}

variable "ipv6" {
  description = "Whether the load balancer admits clients by IPv6."
  type        = bool
  default     = false
}

variable "log_groups" {
  description = "Log groups encrypted with the key beside those of the environment's own prefix."
  type        = list(string)
  default     = []
}
