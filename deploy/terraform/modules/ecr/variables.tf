variable "name" {
  description = "The repository's name."
  type        = string
  default     = "items"
}

variable "keep" {
  description = "Number of images per environment kept for a rollback."
  type        = number
  default     = 30

  validation {
    condition     = var.keep >= 5
    error_message = "A rollback needs images: at least 5."
  }
}

variable "environments" {
  description = "Tags begin with these: prod-0123abc-20241101120000."
  type        = list(string)
  default     = ["dev", "test", "prod"]
}
