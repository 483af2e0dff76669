variable "name" {
  description = "Prefix of every resource's name."
  type        = string
  default     = "items"
}

variable "trail" {
  description = "Whether a trail records the account's calls."
  type        = bool
  default     = false
}

variable "sessions" {
  description = "Whether Session Manager's sessions are recorded, in this region."
  type        = bool
  default     = false
}

variable "days" {
  description = "Retention of both records in days."
  type        = number
  default     = 365

  validation {
    condition     = contains([90, 180, 365, 400, 545, 731], var.days)
    error_message = "90, 180, 365, 400, 545 or 731 days, which both CloudWatch and S3 can keep."
  }
}
