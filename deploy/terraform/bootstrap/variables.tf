variable "region" {
  description = "Region of the state and the images."
  type        = string
}

variable "github" {
  description = "OWNER@ID/NAME@ID, or OWNER/NAME, of the repository whose workflows push images and deploy; null: none."
  type        = string
}

variable "branches" {
  description = "Branches whose runs may push an image."
  type        = list(string)
  default     = ["main", "develop"]
}

variable "trail" {
  description = "Whether CloudTrail records every call in the account, in all regions, for a year. Not needed if the organization has a trail."
  type        = bool
  default     = false
}

variable "sessions" {
  description = "Whether Session Manager's sessions are recorded, in this region, for a year."
  type        = bool
  default     = false
}

variable "infrastructure" {
  description = "Whether the workflow Infrastructure gets roles: one that reads and plans, one that applies and is an administrator."
  type        = bool
  default     = false
}

variable "replica_region" {
  description = "Second region that gets every image; null: none."
  type        = string
  default     = null
}
