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

variable "secret_arn" {
  description = "The only secret that an instance may read."
  type        = string
}

variable "repository_arn" {
  description = "The only image repository that an instance may pull from."
  type        = string
}

variable "log_group_arn" {
  description = "The only log group that an instance may write to."
  type        = string
}
