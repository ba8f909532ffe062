exports = function(id) {
  return { cancelled: id, by: context.user.id };
};
