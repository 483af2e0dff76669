variable "name" {
  description = "Prefix of the source's name."
  type        = string
}

variable "database_arn" {
  description = "The database in its own region."
  type        = string
}

variable "days" {
  description = "Days of backups in this region."
  type        = number
  default     = 7

  validation {
    condition     = var.days >= 1 && var.days <= 35
    error_message = "RDS keeps backups for 1 to 35 days."
  }
}
